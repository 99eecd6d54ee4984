-- +goose Up
-- Which process delivers which part of the subscribers, so that no two do the same part.
CREATE TABLE IF NOT EXISTS holders
(
    shard    LowCardinality(String),
    holder   String, -- the id of the process's spool
    host     String,
    since    DateTime64(6, 'UTC'),
    seen_at  DateTime64(6, 'UTC'),
    released Bool
)
ENGINE = ReplacingMergeTree(seen_at)
ORDER BY (shard, holder);
