-- +goose Up
-- What somebody wants done to a replay (target is its id) or an endpoint (target is its name).
CREATE TABLE IF NOT EXISTS commands
(
    at     DateTime64(6, 'UTC'),
    target String,
    action LowCardinality(String),
    rate   Float64,
    by     String,
    reason String
)
ENGINE = MergeTree
ORDER BY (target, at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;
