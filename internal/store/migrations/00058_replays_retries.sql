-- +goose Up
-- The failed deliveries that the replay sends again, as JSON; empty for a replay of a selection of events.
ALTER TABLE replays ADD COLUMN IF NOT EXISTS retries String CODEC(ZSTD(1));
