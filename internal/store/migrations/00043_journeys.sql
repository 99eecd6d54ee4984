-- +goose Up
-- journeys(…) returns one row for each subscriber: the way through a source's flow that the requests received from `from` to `to`
-- show. Texts are percent-encoded (Grafana's :percentencode), so that none can break out of its quotes.
--
--   from, to     Unix times, which no time zone of the server changes; toDateTime also reads the times of old dashboards
--   goals        steps in order, separated by commas; the first makes a lead, the last is the conversion; at most eight.
--                A step that has a comma in it or a space around it is encoded once more
--   window_days  how long after the first goal the last may be reached
--   attribution  'first' or 'last': whose UTM tags count, among the requests that have a source, medium or campaign
--   channel, utm_…  '*' for all, or values, each encoded once more: {a,b}; (none) is the empty one
--
-- Goals that are not asked for are a step that no request has, because a step is valid UTF-8: ClickHouse compares with a constant
-- faster than it decides whether to compare.
CREATE OR REPLACE VIEW journeys AS
WITH
    arrayMap(g -> decodeURLComponent(trim(BOTH ' ' FROM g)), splitByChar(',', decodeURLComponent({goals:String}))) AS goals,
    arrayResize(goals, 8, '\xFF') AS steps,
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    subscriber_key,
    first_channel AS channel,
    reached, -- how many goals, each after the one before, and the last of them within the window
    reached > 0 AS lead,
    reached = length(goals) AS converted,
    arraySlice(visits, 1, length(goals)) AS visited_at, -- when each goal was first visited; the epoch: never
    visits[1] AS lead_at,
    reachable AS contact, -- whether an e-mail address or a phone number is known
    tagged,  -- whether any of the requests had a UTM tag
    its_source AS utm_source,
    its_medium AS utm_medium,
    its_campaign AS utm_campaign,
    its_content AS utm_content,
    its_term AS utm_term
FROM
(
    WITH utm_source != '' OR utm_medium != '' OR utm_campaign != '' AS touching
    SELECT
        subscriber_key,
        argMin(channel, received_at) AS first_channel,
        windowFunnel({window_days:UInt32} * 86400000000)(toUInt64(toUnixTimestamp64Micro(received_at)),
            step = steps[1], step = steps[2], step = steps[3], step = steps[4], step = steps[5], step = steps[6], step = steps[7], step = steps[8]) AS reached,
        [
            minIf(received_at, step = steps[1]), minIf(received_at, step = steps[2]), minIf(received_at, step = steps[3]),
            minIf(received_at, step = steps[4]), minIf(received_at, step = steps[5]), minIf(received_at, step = steps[6]),
            minIf(received_at, step = steps[7]), minIf(received_at, step = steps[8])
        ] AS visits,
        max(contact) AS reachable,
        max(utm_source != '' OR utm_medium != '' OR utm_campaign != '' OR utm_content != '' OR utm_term != '') AS tagged,
        if({attribution:String} = 'last', argMaxIf(utm_source, received_at, touching), argMinIf(utm_source, received_at, touching)) AS its_source,
        if({attribution:String} = 'last', argMaxIf(utm_medium, received_at, touching), argMinIf(utm_medium, received_at, touching)) AS its_medium,
        if({attribution:String} = 'last', argMaxIf(utm_campaign, received_at, touching), argMinIf(utm_campaign, received_at, touching)) AS its_campaign,
        if({attribution:String} = 'last', argMaxIf(utm_content, received_at, touching), argMinIf(utm_content, received_at, touching)) AS its_content,
        if({attribution:String} = 'last', argMaxIf(utm_term, received_at, touching), argMinIf(utm_term, received_at, touching)) AS its_term
    FROM events
    WHERE received_at >= toDateTime({from:String}) AND received_at <= toDateTime({to:String})
        AND source = decodeURLComponent({source:String}) AND verdict = 'accepted' AND kind = 'flow' AND subscriber_key != 0
    GROUP BY subscriber_key
)
WHERE (decodeURLComponent({channel:String}) = '*' OR has(chosen({channel:String}), first_channel))
    AND (decodeURLComponent({utm_source:String}) = '*' OR has(chosen({utm_source:String}), its_source))
    AND (decodeURLComponent({utm_medium:String}) = '*' OR has(chosen({utm_medium:String}), its_medium))
    AND (decodeURLComponent({utm_campaign:String}) = '*' OR has(chosen({utm_campaign:String}), its_campaign))
    AND (decodeURLComponent({utm_content:String}) = '*' OR has(chosen({utm_content:String}), its_content))
    AND (decodeURLComponent({utm_term:String}) = '*' OR has(chosen({utm_term:String}), its_term));
