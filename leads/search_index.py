"""What makes words, their beginnings and their parts quick to find in `Entry.words`, on SQLite and PostgreSQL.

SQLite has two indexes (FTS5, which reads the words from the directory's table), kept in step by triggers: one of whole
words, which also finds beginnings, and one of trigrams, for parts. Neither keeps positions; what the second finds is
looked at again. PostgreSQL finds all of it by `pg_trgm`. ``install`` may be run again at any time: a migration runs it
first, and it follows every later ``migrate``, because SQLite rebuilds a table when a column changes and the triggers go
with the old one.
"""

from string import punctuation
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

TABLE = "leads_entry"
WORDS, PARTS = "leads_entry_words", "leads_entry_parts"
STARTS = "leads_word_starts"  # of the distinct words, on PostgreSQL, whose other index follows the language's order

# Words are what stands between spaces; `kartra_admin.lib.folding` leaves no double quote in them.
_PUNCTUATION = punctuation.replace('"', "").replace("'", "''")
_TOKENIZERS = {WORDS: f"ascii tokenchars '{_PUNCTUATION}'", PARTS: "trigram case_sensitive 1"}
_PREFIXES = {WORDS: ", prefix='1 2 3'", PARTS: ""}
_SQLITE_TABLE = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS {index} USING fts5("
    f"words, content='{TABLE}', content_rowid='id', detail=none, tokenize=\"{{tokenizer}}\"{{prefix}})"
)
_FORGET = "INSERT INTO {index}({index}, rowid, words) VALUES ('delete', OLD.id, OLD.words)"
_KEEP = "INSERT INTO {index}(rowid, words) VALUES (NEW.id, NEW.words)"
_SQLITE_TRIGGERS = {
    "insert": f"AFTER INSERT ON {TABLE} BEGIN {_KEEP}; END",
    "delete": f"AFTER DELETE ON {TABLE} BEGIN {_FORGET}; END",
    "update": f"AFTER UPDATE OF words ON {TABLE} WHEN OLD.words IS NOT NEW.words BEGIN {_FORGET}; {_KEEP}; END",
}


def install(connection: BaseDatabaseWrapper) -> None:
    """Make the index where it is missing. Raises for a database for which none is written."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for index, tokenizer in _TOKENIZERS.items():
                cursor.execute(_SQLITE_TABLE.format(index=index, tokenizer=tokenizer, prefix=_PREFIXES[index]))
                for name, body in _SQLITE_TRIGGERS.items():
                    cursor.execute(f"CREATE TRIGGER IF NOT EXISTS {index}_{name} {body.format(index=index)}")
        elif connection.vendor == "postgresql":
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {PARTS} ON {TABLE} USING gin (words gin_trgm_ops)")
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {STARTS} ON leads_word (account_id, text text_pattern_ops)")
        else:
            raise NotImplementedError(f"no index for searching is written for {connection.vendor}")


def fill(connection: BaseDatabaseWrapper) -> None:
    """Read all words again, after rows were written while there was no index. PostgreSQL does so by itself."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            for index in _TOKENIZERS:
                cursor.execute(f"INSERT INTO {index}({index}) VALUES ('rebuild')")  # noqa: S608  (constants)


def wipe(connection: BaseDatabaseWrapper) -> bool:
    """Let nothing of what was deleted stay in the file: the indexes keep it until their parts are merged, and the log
    of writes until it is emptied. False where somebody who reads kept that log from being emptied."""
    if connection.vendor != "sqlite":
        return True
    with connection.cursor() as cursor:
        for index in _TOKENIZERS:
            cursor.execute(f"INSERT INTO {index}({index}) VALUES ('optimize')")  # noqa: S608  (constants)
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        is_busy, *_ = cursor.fetchone()
    return not is_busy


def remove(connection: BaseDatabaseWrapper) -> None:
    """Take the indexes away. The extension stays: others may use it."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            for index in _TOKENIZERS:
                for name in _SQLITE_TRIGGERS:
                    cursor.execute(f"DROP TRIGGER IF EXISTS {index}_{name}")
                cursor.execute(f"DROP TABLE IF EXISTS {index}")
        else:
            cursor.execute(f"DROP INDEX IF EXISTS {PARTS}, {STARTS}")


def reinstall_after_migrate(*, using: str, **kwargs: Any) -> None:
    """Receiver of ``post_migrate``. A database that was migrated only part of the way may lack the table."""
    from django.db import connections

    connection = connections[using]
    with connection.cursor() as cursor:
        tables = {row.name: row for row in connection.introspection.get_table_list(cursor)}
        has_words = TABLE in tables and any(
            column.name == "words" for column in connection.introspection.get_table_description(cursor, TABLE)
        )
    if has_words:
        install(connection)
