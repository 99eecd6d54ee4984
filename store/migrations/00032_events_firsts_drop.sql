-- +goose Up
-- `newcomers` takes its place (00035_events_newcomers.sql).
ALTER TABLE events DROP PROJECTION IF EXISTS firsts;
