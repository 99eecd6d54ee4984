-- +goose Up
-- Migration 41 adds this column too. Databases that ran 41 before it did get it here.
ALTER TABLE events ADD COLUMN IF NOT EXISTS body_text String CODEC(ZSTD(3));
