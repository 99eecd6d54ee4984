-- +goose Up
-- Where the event stands in order of arrival. It is later than event_received_at only if the clock was set back, or requests ended
-- in another order than they began.
ALTER TABLE deliveries ADD COLUMN IF NOT EXISTS event_position DateTime64(6, 'UTC') DEFAULT event_received_at CODEC(Delta, ZSTD(1));
