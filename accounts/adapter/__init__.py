"""allauth's hooks: the policy of this hub for accounts, second factors and identities elsewhere."""

from accounts.adapter.account import AccountAdapter, ConfirmAddress
from accounts.adapter.mfa import MfaAdapter
from accounts.adapter.social import SocialAccountAdapter

__all__ = ["AccountAdapter", "ConfirmAddress", "MfaAdapter", "SocialAccountAdapter"]
