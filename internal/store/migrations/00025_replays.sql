-- +goose Up
CREATE TABLE IF NOT EXISTS replays
(
    id                  UUID,
    created_at          DateTime64(6, 'UTC'),
    updated_at          DateTime64(6, 'UTC'),
    created_by          String,
    state               LowCardinality(String),
    endpoint            String,
    url                 String,
    selection           String,
    total               UInt64,
    rate                Float64,
    concurrency         UInt16,
    max_attempts        UInt16,
    reason              String,
    event_order         LowCardinality(String) DEFAULT 'none',     -- or 'subscriber'
    mode                LowCardinality(String) DEFAULT 'all',      -- or 'undelivered'
    retry               LowCardinality(String) DEFAULT 'endpoint', -- or 'none'
    pace                Float64,
    stop_after_failures UInt32,
    headers             Array(Tuple(name String, value String)),
    idempotency_key     String,
    counts              Map(LowCardinality(String), UInt64), -- deliveries by state, as of updated_at
    per_second          Float64
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;
