"""The administration of the hub: pages that only its administrators know of."""
