-- +goose Up
ALTER TABLE replays
    ADD COLUMN IF NOT EXISTS reason String,
    -- 'none' or 'subscriber'
    ADD COLUMN IF NOT EXISTS event_order LowCardinality(String) DEFAULT 'none',
    -- 'undelivered' or 'all'
    ADD COLUMN IF NOT EXISTS mode LowCardinality(String) DEFAULT 'all',
    -- 'endpoint' or 'none'
    ADD COLUMN IF NOT EXISTS retry LowCardinality(String) DEFAULT 'endpoint',
    ADD COLUMN IF NOT EXISTS pace Float64,
    ADD COLUMN IF NOT EXISTS stop_after_failures UInt32,
    ADD COLUMN IF NOT EXISTS headers Array(Tuple(name String, value String)),
    ADD COLUMN IF NOT EXISTS idempotency_key String,
    -- Deliveries by state, as of updated_at.
    ADD COLUMN IF NOT EXISTS counts Map(LowCardinality(String), UInt64),
    ADD COLUMN IF NOT EXISTS per_second Float64;
