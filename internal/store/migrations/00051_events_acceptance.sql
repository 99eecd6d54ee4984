-- +goose Up
-- Who accepted a rejected request after all, when, and the verdict before. The rejected row stays; this row has the same id. Rows
-- that ingest accepted have ''.
ALTER TABLE events
    ADD COLUMN IF NOT EXISTS accepted_by String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS accepted_at DateTime64(6, 'UTC') CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS rejected_as LowCardinality(String);
