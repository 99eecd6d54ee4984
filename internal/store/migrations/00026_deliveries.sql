-- +goose Up
CREATE TABLE IF NOT EXISTS deliveries
(
    -- The zero UUID for live delivery.
    replay_id         UUID CODEC(ZSTD(1)),
    endpoint          LowCardinality(String),
    event_received_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    event_id          UUID CODEC(ZSTD(1)),
    state             LowCardinality(String),
    attempts          UInt32 CODEC(ZSTD(1)),
    next_at           DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    status_code       UInt16 CODEC(ZSTD(1)),
    error             String CODEC(ZSTD(1)),
    updated_at        DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    version           UInt64 CODEC(ZSTD(1)),
    -- The subscriber of the event. Deliveries to the same subscriber keep their order and stay in one shard.
    subscriber        String DEFAULT toString(event_id) CODEC(ZSTD(1)),
    created_at        DateTime64(6, 'UTC') DEFAULT event_received_at CODEC(Delta, ZSTD(1)),

    INDEX event_id_bloom event_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(event_received_at)
ORDER BY (replay_id, endpoint, event_received_at, event_id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;
