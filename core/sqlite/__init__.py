"""Django's SQLite back end with shorter waits; named as ENGINE in the settings."""
