-- +goose Up
CREATE TABLE IF NOT EXISTS events
(
    id                  UUID CODEC(ZSTD(1)),
    received_at         DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    stored_at           DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta, ZSTD(1)),
    source              LowCardinality(String),
    step                LowCardinality(String),
    kind                LowCardinality(String),
    verdict             LowCardinality(String),

    -- The request as it came. The hook token in `path` is masked, `body` is byte for byte.
    method              LowCardinality(String),
    path                LowCardinality(String),
    query               String CODEC(ZSTD(1)),
    remote_ip           LowCardinality(String),
    headers             Array(Tuple(name String, value String)) CODEC(ZSTD(1)),
    body                String CODEC(ZSTD(3)),
    body_sha256         String CODEC(ZSTD(1)),
    trace_id            String CODEC(ZSTD(1)),
    span_id             String CODEC(ZSTD(1)),

    -- What was read from the body. Empty or NULL: absent, or unreadable (see decode_error).
    bothelp_user_id     String CODEC(ZSTD(1)),
    messenger_user_id   String CODEC(ZSTD(1)),
    messenger_username  String CODEC(ZSTD(1)),
    cuid                String CODEC(ZSTD(1)),
    ref                 String CODEC(ZSTD(1)),
    name                String CODEC(ZSTD(1)),
    first_name          String CODEC(ZSTD(1)),
    last_name           String CODEC(ZSTD(1)),
    email               String CODEC(ZSTD(1)),
    phone               String CODEC(ZSTD(1)),
    profile_link        String CODEC(ZSTD(1)),
    channel             LowCardinality(String),
    conversations_count Nullable(UInt64) CODEC(ZSTD(1)),
    created_at          Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    first_contact_at    Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    last_contact_at     Nullable(DateTime64(3, 'UTC')) CODEC(ZSTD(1)),
    utm_source          LowCardinality(String),
    utm_medium          LowCardinality(String),
    utm_campaign        LowCardinality(String),
    utm_content         LowCardinality(String),
    utm_term            LowCardinality(String),
    fields              Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    event_at            DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    decode_error        LowCardinality(String),
    duplicate_of        UUID CODEC(ZSTD(1)),

    INDEX body_sha256_bloom body_sha256 TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX bothelp_user_id_bloom bothelp_user_id TYPE bloom_filter(0.01) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(received_at)
ORDER BY (received_at, id)
-- The spool forgets a batch once this insert is acknowledged, and may send it again after a crash: hence fsync and
-- deduplication by token.
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000;
