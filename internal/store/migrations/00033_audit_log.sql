-- +goose Up
-- Every change that somebody made by the API or the command line, and who looked at what.
CREATE TABLE IF NOT EXISTS audit_log
(
    at        DateTime64(6, 'UTC'),
    -- The name of the token, or the user of the command line.
    who       String,
    action    LowCardinality(String),
    target    String,
    -- What exactly, as JSON.
    detail    String CODEC(ZSTD(1)),
    remote_ip String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(at)
ORDER BY at
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;
