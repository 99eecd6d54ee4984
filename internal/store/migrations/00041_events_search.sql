-- +goose Up
ALTER TABLE events
    -- The number of the event in the sequence of its spool, which live delivery follows instead of a clock. Events that were stored
    -- before version 36, or without a spool, have none.
    ADD COLUMN IF NOT EXISTS spool LowCardinality(String),
    ADD COLUMN IF NOT EXISTS spool_number UInt64 CODEC(Delta, ZSTD(1)),
    -- A search looks through the next two columns: values in the form of Normalized in text.go, with U+001F between two.
    -- Numbers with punctuation, such as phone numbers, follow once more as digits. Arrays of one element name intermediate results,
    -- and arrays of one element or none are conditions, because an insert evaluates both branches of an if.
    -- search_text has all parsed fields, because package bothelp reads less than 256 KiB. A value that another
    -- one contains is left out, which takes 10 bytes off an event.
    ADD COLUMN IF NOT EXISTS search_text String MATERIALIZED arrayStringConcat(arrayMap(
            text -> concat(text, arrayStringConcat(arrayMap(number -> concat('\x1F', replaceRegexpAll(number, '[^0-9]+', '')),
                extractAll(text, '[0-9]+[ ()./\\x{2010}-\\x{2015}-]+[0-9][0-9 ()./\\x{2010}-\\x{2015}-]{2,}[0-9]')))),
            [trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(substring(concatWithSeparator('\x1F', step, name,
                if(position(name, first_name) > 0, '', first_name), if(position(name, last_name) > 0, '', last_name), email, phone, profile_link,
                if(position(profile_link, messenger_username) > 0, '', messenger_username),
                if(position(profile_link, messenger_user_id) > 0, '', messenger_user_id), cuid, ref, bothelp_user_id, channel,
                utm_source, utm_medium, utm_campaign, utm_content, utm_term, decodeURLFormComponent(query),
                arrayStringConcat(arrayMap((name, value) -> concat(name, ' ', value), mapKeys(fields), mapValues(fields)), '\x1F')), 1, 262144))), 'ё', 'е'), '\\s+', ' '))])) CODEC(ZSTD(6)),
    -- The readable text of the body of a request that was rejected or could not be read as a whole, by package bothelp. It is empty
    -- where that is the body itself, and expires with the body.
    ADD COLUMN IF NOT EXISTS body_text String CODEC(ZSTD(3)),
    -- The path and 64 KiB of the body of such a request. JSON is without its escapes and quotes, a form without its escapes; \u and \/
    -- are undone in all other text too. It expires with the body.
    ADD COLUMN IF NOT EXISTS search_body String MATERIALIZED arrayStringConcat(arrayMap(
            text -> concat(text, arrayStringConcat(arrayMap(number -> concat('\x1F', replaceRegexpAll(number, '[^0-9]+', '')),
                extractAll(text, '[0-9]+[ ()./\\x{2010}-\\x{2015}-]+[0-9][0-9 ()./\\x{2010}-\\x{2015}-]{2,}[0-9]')))),
            arrayMap(raw -> trimBoth(replaceRegexpAll(replaceAll(normalizeUTF8NFKCCasefold(toValidUTF8(substring(concatWithSeparator('\x1F', path,
                    -- simpleJSONExtractString takes only valid escapes: all other backslashes are doubled.
                    simpleJSONExtractString(concat('{"text":"', replaceAll(replaceRegexpAll(replaceAll(
                        if(match(raw, '^[\\s\\x{FEFF}]*[{\\[]'), replaceRegexpAll(replaceAll(raw, '\\\\', '/'), '\\\\["bfnrt]|"', ' '), decodeURLFormComponent(raw)),
                        '\\', '\\\\'), '(?:\\\\\\\\)+(u[0-9A-Fa-f]{4}|/)', '\\\\\\1'), '"', '\\"'), '"}'), 'text')), 1, 65536))), 'ё', 'е'), '\\s+', ' ')),
                if(verdict = 'accepted' AND decode_error = '', [], [substring(if(body_text = '', body, body_text), 1, 65536)])))) CODEC(ZSTD(3));
