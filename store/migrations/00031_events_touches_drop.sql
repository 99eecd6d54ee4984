-- +goose Up
-- `visits` takes its place (00034_events_visits.sql).
ALTER TABLE events DROP PROJECTION IF EXISTS touches;
