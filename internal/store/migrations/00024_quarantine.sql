-- +goose Up
CREATE TABLE IF NOT EXISTS quarantine
(
    id             UUID,
    received_at    DateTime64(6, 'UTC'),
    quarantined_at DateTime64(3, 'UTC') DEFAULT now64(3),
    source         LowCardinality(String),
    -- Why ClickHouse refused the event.
    error          String CODEC(ZSTD(1)),
    -- The event as the spool had it: CBOR, raw request included.
    record         String CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (received_at, id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;
