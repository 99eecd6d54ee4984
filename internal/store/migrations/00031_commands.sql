-- +goose Up
-- Commands to replays (target is the id) and endpoints (target is the name).
CREATE TABLE IF NOT EXISTS commands
(
    -- The time of ClickHouse's clock: the last command counts, and the clocks of those who give commands differ.
    at     DateTime64(6, 'UTC') DEFAULT now64(6),
    target String,
    action LowCardinality(String),
    rate   Float64,
    by     String,
    reason String
)
ENGINE = MergeTree
ORDER BY (target, at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;
