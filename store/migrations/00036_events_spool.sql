-- +goose Up
-- The place of an event in the sequence of the spool that it came through. Live delivery follows these numbers and no
-- clock. Events that were stored before, or not through a spool, have none.
ALTER TABLE events
    ADD COLUMN IF NOT EXISTS spool LowCardinality(String),
    ADD COLUMN IF NOT EXISTS spool_number UInt64 CODEC(Delta, ZSTD(1));
