-- +goose Up
-- What the table deliveries becomes: migration 46 moves the rows here and gives this table its name. The key has the position of
-- the event in place of its time of receipt, so that the deliveries of a queue are read in the order in which its events arrived
-- even if the clock was set back. event_received_at follows from event_id; it is in the key so that FINAL reads only the months
-- that are asked for.
CREATE TABLE IF NOT EXISTS deliveries_by_position
(
    -- The zero UUID for live delivery.
    replay_id         UUID CODEC(ZSTD(1)),
    endpoint          LowCardinality(String),
    event_received_at DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    event_position    DateTime64(6, 'UTC') DEFAULT event_received_at CODEC(Delta, ZSTD(1)),
    event_id          UUID CODEC(ZSTD(1)),
    state             LowCardinality(String),
    attempts          UInt32 CODEC(ZSTD(1)),
    next_at           DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    status_code       UInt16 CODEC(ZSTD(1)),
    error             String CODEC(ZSTD(1)),
    updated_at        DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    version           UInt64 CODEC(ZSTD(1)),
    -- Whom the event is about; what has the same one keeps its order, and stays in one shard.
    subscriber        String DEFAULT toString(event_id) CODEC(ZSTD(1)),
    created_at        DateTime64(6, 'UTC') DEFAULT event_received_at CODEC(Delta, ZSTD(1)),

    INDEX event_id_bloom event_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX event_received_at_minmax event_received_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(event_received_at)
ORDER BY (replay_id, endpoint, event_position, event_id, event_received_at)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;
