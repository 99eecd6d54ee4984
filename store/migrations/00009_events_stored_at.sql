-- +goose Up
-- Live delivery follows the events as they are stored.
ALTER TABLE events ADD INDEX IF NOT EXISTS stored_at_minmax stored_at TYPE minmax GRANULARITY 1;
