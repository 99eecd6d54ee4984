-- +goose Up
-- For what was stored before, in the background, in one go.
ALTER TABLE events MATERIALIZE COLUMN search_text, MATERIALIZE COLUMN search_body;
