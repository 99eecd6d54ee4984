-- +goose Up
-- `visits` and `newcomers` take their places (00033_events_visits_newcomers.sql).
ALTER TABLE events DROP PROJECTION IF EXISTS touches, DROP PROJECTION IF EXISTS firsts;
