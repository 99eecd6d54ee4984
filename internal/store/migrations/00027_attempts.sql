-- +goose Up
CREATE TABLE IF NOT EXISTS attempts
(
    id               UUID CODEC(ZSTD(1)),
    event_id         UUID CODEC(ZSTD(1)),
    endpoint         LowCardinality(String),
    url              LowCardinality(String),
    replay_id        UUID CODEC(ZSTD(1)),
    number           UInt32 CODEC(ZSTD(1)),
    started_at       DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    duration_ms      Float64 CODEC(ZSTD(1)),
    outcome          LowCardinality(String),
    status_code      UInt16 CODEC(ZSTD(1)),
    error            String CODEC(ZSTD(1)),
    -- The headers as they were sent, because the configuration that they come from changes. Attempts of old versions have none.
    request_headers  Array(Tuple(name String, value String)) CODEC(ZSTD(1)),
    response_headers Array(Tuple(name String, value String)) CODEC(ZSTD(1)),
    response_body    String CODEC(ZSTD(1)),
    trace_id         String CODEC(ZSTD(1)),

    INDEX event_id_bloom event_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(started_at)
ORDER BY (started_at, id)
-- 00023_events.sql explains the settings.
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000,
    materialize_ttl_recalculate_only = 1, merge_with_ttl_timeout = 3600;
