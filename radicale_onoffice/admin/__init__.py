"""The ``radicale-onoffice`` command, by subject; nothing here decides a rule."""
