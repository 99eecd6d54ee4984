-- +goose Up
-- The first request of each subscriber, by which the dashboards tell new ones from those who come back: a third of the rows,
-- and a tenth of the time, of looking through the whole history. Like `visits` it is a part of each insert; it makes one
-- dearer by a twentieth.
ALTER TABLE events ADD PROJECTION IF NOT EXISTS newcomers
(
    SELECT source, channel, verdict, subscriber_key, min(received_at)
    GROUP BY source, channel, verdict, subscriber_key
);
