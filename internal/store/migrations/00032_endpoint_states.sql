-- +goose Up
-- Where the delivery to each endpoint stands, as each process that delivers sees it.
CREATE TABLE IF NOT EXISTS endpoint_states
(
    endpoint       String,
    shard          LowCardinality(String),
    url            String,
    -- 'active', 'paused', 'failing' (the breaker is open) or 'removed'
    state          LowCardinality(String),
    reason         String,
    failures       UInt32,
    next_probe     DateTime64(3, 'UTC'),
    updated_at     DateTime64(6, 'UTC'),
    followed_since DateTime64(3, 'UTC'),
    followed_until DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (endpoint, shard)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;
