"""The log, the list of Spaces, answers, accounts, devices and sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("space_id", _ID, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", _ID),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("data", sa.Text, nullable=False),
        sa.Column("answer_key", _ID),
        sa.Column("answer_body", _ID),
        sa.Column("answer_last", sa.BigInteger),
        sa.PrimaryKeyConstraint("space_id", "seq", name="pk_events"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "answers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("space_id", _ID, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("key", _ID, nullable=False),
        sa.Column("body", _ID, nullable=False),
        sa.Column("first", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_answers"),
    )
    op.create_index("ix_answers_space_id_at", "answers", ["space_id", "at"])
    _spaces()
    _people()


def _spaces() -> None:
    op.create_table(
        "spaces",
        sa.Column("id", _ID, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("lang", sa.String, nullable=False),
        sa.Column("topics", sa.Text, nullable=False),
        sa.Column("visibility", sa.String, nullable=False),
        sa.Column("host_id", _ID, nullable=False),
        sa.Column("host_handle", sa.String, nullable=False),
        sa.Column("host_name", sa.Text, nullable=False),
        sa.Column("host_guest", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("scheduled_start", sa.BigInteger),
        sa.Column("started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("sort_key", sa.BigInteger, nullable=False),
        sa.Column("search", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_spaces"),
    )
    op.create_index("ix_spaces_visibility_state_sort_key_id", "spaces", ["visibility", "state", "sort_key", "id"])
    op.create_index("ix_spaces_visibility_created_at_id", "spaces", ["visibility", "created_at", "id"])


def _people() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("handle", _ID, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("guest", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_accounts"),
        sa.UniqueConstraint("handle", name="uq_accounts_handle"),
    )
    op.create_table(
        "devices",
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("device", _ID, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "device", name="pk_devices"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_devices_account_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.LargeBinary, nullable=False),
        sa.Column("account_id", _ID, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_sessions"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_sessions_account_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sessions_account_id", "sessions", ["account_id"])
    op.create_index("ix_sessions_expires_at", "sessions", ["expires_at"])


def downgrade() -> None:
    raise NotImplementedError("migrations only add: an older version runs on the newer schema")
