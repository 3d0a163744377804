"""The settings of the registry of 2013 to 2015: what each is called today, or why it is gone.

A row is a key of its YAML file and a variable that stood for it. Keys of one store count only
where that store is chosen, so that variables of other programs (`AWS_REGION`) change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "flag", "port", "number", "level", "store", "any"]
S3_LIKE = ("s3", "ceph-s3", "cloudfronts3", "gcs", "oss")


@dataclass(frozen=True, slots=True)
class OldName:
    """`new` is empty where nothing replaces it; `note` then says why, else how they differ."""

    key: str
    variable: str
    new: str = ""
    kind: Kind = "any"
    note: str = ""
    stores: tuple[str, ...] = ()


def _gone(why: str, *pairs: tuple[str, str], stores: tuple[str, ...] = ()) -> list[OldName]:
    return [OldName(key, variable, note=why, stores=stores) for key, variable in pairs]


_OPTIONS = "HUB_STORAGE_OPTIONS"
_MAIL = "HUB_EMAIL_URL"
_CORS = (
    *("origins", "methods", "headers", "expose_headers", "supports_credentials", "max_age"),
    *("send_wildcard", "always_send", "automatic_options", "vary_header", "resources"),
)
_ELLIPTICS = (
    *("nodes", "wait_timeout", "check_timeout", "io_thread_num", "net_thread_num"),
    *("nonblocking_io_thread_num", "groups", "verbosity", "logfile", "addr_family"),
)
_SWIFT = (
    *(("authurl", "OS_AUTH_URL"), ("container", "OS_CONTAINER"), ("user", "OS_USERNAME")),
    *(("password", "OS_PASSWORD"), ("tenant_name", "OS_TENANT_NAME")),
    ("region_name", "OS_REGION_NAME"),
)
_AWS = ("s3", "ceph-s3", "cloudfronts3")

OLD_NAMES: list[OldName] = [
    OldName("loglevel", "LOGLEVEL", "HUB_LOG_LEVEL", "level", "`critical` is `error`"),
    OldName(
        *("standalone", "STANDALONE", "HUB_ROLE", "flag"),
        "`true` is the role `standalone`, `false` is `hub`",
    ),
    OldName(
        *("index_endpoint", "INDEX_ENDPOINT", "HUB_EXTERNAL_URL", "text"),
        "the hub is its own index; the public one is passed over, and any with `standalone`",
    ),
    OldName("secret_key", "SECRET_KEY", "HUB_SECRET_KEY", "text"),
    OldName(
        *("sqlalchemy_index_database", "SQLALCHEMY_INDEX_DATABASE", "HUB_DATABASE_URL", "text"),
        "holds everything but bytes; `sqlite` and `postgresql` only",
    ),
    OldName("storage", "", "HUB_STORAGE", "store", "`file` is `local`"),
    OldName(
        *("storage_path", "STORAGE_PATH", _OPTIONS, "text"),
        "`root` of it, of object stores `location`",
    ),
    OldName("s3_bucket", "AWS_BUCKET", _OPTIONS, "text", "`bucket_name` of it", _AWS),
    OldName("boto_bucket", "AWS_BUCKET", _OPTIONS, "text", "`bucket_name` of it", S3_LIKE),
    OldName("s3_region", "AWS_REGION", _OPTIONS, "text", "`region_name` of it", _AWS),
    OldName("s3_access_key", "AWS_KEY", _OPTIONS, "text", "`access_key` of it", _AWS),
    OldName("s3_secret_key", "AWS_SECRET", _OPTIONS, "text", "`secret_key` of it", _AWS),
    OldName("s3_secure", "AWS_SECURE", _OPTIONS, "flag", "`use_ssl` of it", _AWS),
    OldName("s3_encrypt", "AWS_ENCRYPT", _OPTIONS, "flag", "`object_parameters` of it", _AWS),
    OldName("boto_host", "AWS_HOST", _OPTIONS, "text", "`endpoint_url` of it", _AWS),
    OldName("boto_port", "AWS_PORT", _OPTIONS, "port", "`endpoint_url` of it", _AWS),
    OldName(
        *("boto_calling_format", "AWS_CALLING_FORMAT", _OPTIONS, "text"),
        *("`addressing_style` of it", _AWS),
    ),
    OldName("gs_bucket", "GCS_BUCKET", _OPTIONS, "text", "`bucket_name` of it", ("gcs",)),
    OldName("gs_access_key", "GCS_KEY", _OPTIONS, "text", "`access_key` of it", ("gcs",)),
    OldName("gs_secret_key", "GCS_SECRET", _OPTIONS, "text", "`secret_key` of it", ("gcs",)),
    OldName("gs_secure", "GCS_SECURE", _OPTIONS, "flag", "`use_ssl` of it", ("gcs",)),
    OldName("oss_bucket", "OSS_BUCKET", _OPTIONS, "text", "`bucket_name` of it", ("oss",)),
    OldName("oss_host", "OSS_HOST", _OPTIONS, "text", "`endpoint_url` of it", ("oss",)),
    OldName("oss_accessid", "OSS_KEY", _OPTIONS, "text", "`access_key` of it", ("oss",)),
    OldName("oss_accesskey", "OSS_SECRET", _OPTIONS, "text", "`secret_key` of it", ("oss",)),
    OldName("cache.host", "CACHE_REDIS_HOST", "HUB_BROKER_URL", "text", "as `redis://…`"),
    OldName("cache.port", "CACHE_REDIS_PORT", "HUB_BROKER_URL", "port", "as `redis://…`"),
    OldName("cache.db", "CACHE_REDIS_DB", "HUB_BROKER_URL", "number", "as `redis://…`"),
    OldName("cache.password", "CACHE_REDIS_PASSWORD", "HUB_BROKER_URL", "text", "as `redis://…`"),
    OldName("email_exceptions.smtp_host", "SMTP_HOST", _MAIL, "text", "as `smtp://…`"),
    OldName("email_exceptions.smtp_port", "SMTP_PORT", _MAIL, "port", "as `smtp://…`"),
    OldName("email_exceptions.smtp_login", "SMTP_LOGIN", _MAIL, "text", "as `smtp://…`"),
    OldName("email_exceptions.smtp_password", "SMTP_PASSWORD", _MAIL, "text", "as `smtp://…`"),
    OldName(
        *("email_exceptions.smtp_secure", "SMTP_SECURE", _MAIL, "flag"),
        "`true` is `smtp+starttls://…`; certificates of clients are not offered",
    ),
    OldName("email_exceptions.from_addr", "SMTP_FROM_ADDR", "HUB_EMAIL_FROM", "text"),
    OldName("email_exceptions.to_addr", "SMTP_TO_ADDR", "HUB_ERROR_MAIL_TO", "text"),
    OldName("", "REGISTRY_HOST", "HUB_BIND", "text", "address and port in one"),
    OldName("", "REGISTRY_PORT", "HUB_BIND", "port", "address and port in one"),
    OldName("", "GUNICORN_WORKERS", "HUB_WEB_WORKERS", "number"),
    *_gone("the front page is that of the hub", ("issue", "")),
    *_gone(
        "it was for `_ping` only; HUB_DEBUG shows details of errors and is not for real use",
        ("debug", ""),
    ),
    *_gone("redirects follow from the store", ("storage_redirect", "STORAGE_REDIRECT")),
    *_gone(
        "no role takes changes from everybody by switching tokens off; for a registry without "
        "accounts there is HUB_ROLE=standalone",
        ("disable_token_auth", "DISABLE_TOKEN_AUTH"),
    ),
    *_gone("robots and access tokens do this, with limits", ("privileged_key", "PRIVILEGED_KEY")),
    *_gone(
        "search is built in and uses the hub's own database", ("search_backend", "SEARCH_BACKEND")
    ),
    *_gone(
        "pulling through from another registry is not offered; copy what you need with skopeo sync",
        ("mirroring.source", "MIRROR_SOURCE"),
        ("mirroring.source_index", "MIRROR_SOURCE_INDEX"),
        ("mirroring.tags_cache_ttl", "MIRROR_TAGS_CACHE_TTL"),
    ),
    *_gone(
        "small answers are kept in memory, see HUB_WEB_MEMORY_MIB",
        *((f"cache_lru.{k}", f"CACHE_LRU_REDIS_{k.upper()}") for k in ("host", "port", "db")),
        ("cache_lru.password", "CACHE_LRU_REDIS_PASSWORD"),
    ),
    *_gone(
        "errors are logged, and mailed to HUB_ERROR_MAIL_TO",
        *(("bugsnag", "BUGSNAG"), ("", "NEW_RELIC_LICENSE_KEY"), ("", "NEW_RELIC_CONFIG_FILE")),
        ("", "NEW_RELIC_ENVIRONMENT"),
    ),
    *_gone(
        "pages of other origins get no access to the API",
        *((f"cors.{name}", f"CORS_{name.upper()}") for name in _CORS),
    ),
    *_gone("clients go on at HUB_EXTERNAL_URL", ("registry_endpoints", "REGISTRY_ENDPOINTS")),
    *_gone(
        "files are sent by the kernel, without a proxy's help",
        ("nginx_x_accel_redirect", "NGINX_X_ACCEL_REDIRECT"),
    ),
    *_gone("webhooks and the REST API take the place of add-ons", ("extensions", "")),
    *_gone("signatures are always of version 4", ("s3_use_sigv4", "AWS_USE_SIGV4"), stores=_AWS),
    *_gone(
        "HUB_LOG_LEVEL=debug logs requests to the store", ("boto_debug", "AWS_DEBUG"), stores=_AWS
    ),
    *_gone(
        "the store's library reads HTTPS_PROXY",
        *((f"boto_{name}", "") for name in ("proxy", "proxy_port", "proxy_user", "proxy_pass")),
        stores=_AWS,
    ),
    *_gone(
        "bytes come from the store itself, not from a CDN in front of it",
        *(("cloudfront.base", "CF_BASE_URL"), ("cloudfront.keyid", "CF_KEYID")),
        ("cloudfront.keysecret", "CF_KEYSECRET"),
        stores=("cloudfronts3",),
    ),
    *_gone("the S3 keys of the bucket are used", ("oauth2", "GCS_OAUTH2"), stores=("gcs",)),
    *_gone(
        "use Swift's S3 API",
        *((f"swift_{key}", variable) for key, variable in _SWIFT),
        stores=("swift", "glance-swift", "openstack-swift"),
    ),
    *_gone(
        "bytes lie in one store",
        ("storage_alternate", "GLANCE_STORAGE_ALTERNATE"),
        stores=("glance", "openstack", "glance-swift", "openstack-swift"),
    ),
    *_gone(
        "there is no such store any more",
        *(
            (f"azure_{key}", f"AZURE_{key.upper()}")
            for key in ("storage_account_name", "storage_account_key", "use_https")
        ),
        ("azure_storage_container", "AZURE_STORAGE_CONTAINER"),
        stores=("azureblob",),
    ),
    *_gone(
        "there is no such store any more",
        *((f"elliptics_{key}", f"ELLIPTICS_{key.upper()}") for key in _ELLIPTICS),
        stores=("elliptics",),
    ),
    *_gone(
        "a request may take as long as its bytes keep coming",
        ("", "GUNICORN_GRACEFUL_TIMEOUT"),
        ("", "GUNICORN_SILENT_TIMEOUT"),
    ),
    *_gone(
        "start the hub as the user it is to run as", ("", "GUNICORN_USER"), ("", "GUNICORN_GROUP")
    ),
    *_gone(
        "logs go to standard error",
        ("", "GUNICORN_ACCESS_LOG_FILE"),
        ("", "GUNICORN_ERROR_LOG_FILE"),
    ),
    *_gone("the server's options are chosen by the hub", ("", "GUNICORN_OPTS")),
]
BY_KEY = {row.key: row for row in OLD_NAMES if row.key}
GROUPS = {key.partition(".")[0] for key in BY_KEY if "." in key}
BOTH_OLD_AND_NEW = frozenset({"debug", "secret_key", "storage"})
"""Keys that had another meaning, or another set of words, in 2015."""

# What each flavour of the old sample file kept bytes in, for an environment without a file.
FLAVOURS = {
    **dict.fromkeys(("common", "local", "dev", "test"), "local"),
    **dict.fromkeys(("prod", "s3"), "s3"),
    **{
        name: name
        for name in (
            *("cloudfronts3", "ceph-s3", "gcs", "swift", "glance", "openstack", "glance-swift"),
            *("openstack-swift", "azureblob", "elliptics", "oss"),
        )
    },
}
STORES = {
    **dict.fromkeys(("local", "file"), "local"),
    **dict.fromkeys(S3_LIKE, "s3"),
}
GONE_STORES = {
    **dict.fromkeys(("swift", "glance-swift", "openstack-swift"), "use Swift's S3 API"),
    **dict.fromkeys(("glance", "openstack", "elliptics", "azureblob"), "copy its content first"),
    **dict.fromkeys(("hdfs", "qiniu", "sinastorage", "jss", "huaweimos"), "copy its content first"),
}
PUBLIC_INDEX = ("index.docker.io", "registry-1.docker.io", "docker.io", "hub.docker.com")
