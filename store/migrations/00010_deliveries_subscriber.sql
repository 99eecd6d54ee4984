-- +goose Up
ALTER TABLE deliveries
    -- Whom the event is about; what has the same one keeps its order, and stays in one shard.
    ADD COLUMN IF NOT EXISTS subscriber String DEFAULT toString(event_id) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS created_at DateTime64(6, 'UTC') DEFAULT event_received_at CODEC(Delta, ZSTD(1));
