-- +goose Up
-- For retention, where it is configured. A change of it recomputes when rows expire, and leaves them to the next merge, in
-- place of writing the table anew at once. What has expired goes once a day: the month that the limit lies in is written
-- anew for it.
ALTER TABLE events MODIFY SETTING materialize_ttl_recalculate_only = 1, merge_with_ttl_timeout = 86400;
