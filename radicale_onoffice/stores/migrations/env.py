"""What Alembic runs: migrations on the connection that the caller opened, in the caller's transaction."""

from alembic import context

from radicale_onoffice.stores.tables import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=False, render_as_batch=True
)
context.run_migrations()
