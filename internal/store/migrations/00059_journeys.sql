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
-- faster than it decides whether to compare. windowFunnel gets the visits of each subscriber as an array, because it takes half of
-- the time to group them as numbers: the time of a visit in microseconds, and in the lowest eight bits which goals its step is.
CREATE OR REPLACE VIEW journeys AS
WITH
    arrayMap(g -> decodeURLComponent(trim(BOTH ' ' FROM g)), splitByChar(',', decodeURLComponent({goals:String}))) AS goals,
    arrayResize(goals, 8, '\xFF') AS steps,
    arrayMap(s -> toUInt8(arraySum((g, k) -> if(g = s, bitShiftLeft(1, k - 1), 0), steps, arrayEnumerate(steps))), steps) AS bits,
    [
        arrayFirst(v -> bitTest(v, 0), visits), arrayFirst(v -> bitTest(v, 1), visits), arrayFirst(v -> bitTest(v, 2), visits),
        arrayFirst(v -> bitTest(v, 3), visits), arrayFirst(v -> bitTest(v, 4), visits), arrayFirst(v -> bitTest(v, 5), visits),
        arrayFirst(v -> bitTest(v, 6), visits), arrayFirst(v -> bitTest(v, 7), visits)
    ] AS firsts, -- the first visit of each goal; 0: none
    v -> arrayMap(x -> if(x = '(none)', '', decodeURLComponent(x)), splitByChar(',', trim(BOTH '{}' FROM decodeURLComponent(v)))) AS chosen
SELECT
    subscriber_key,
    first_channel AS channel,
    -- how many goals, each after the one before, and the last of them within the window
    arrayReduce(concat('windowFunnel(', toString({window_days:UInt32} * 86400000000), ')'), arrayMap(v -> bitShiftRight(v, 8), visits),
        arrayMap(v -> bitTest(v, 0), visits), arrayMap(v -> bitTest(v, 1), visits), arrayMap(v -> bitTest(v, 2), visits),
        arrayMap(v -> bitTest(v, 3), visits), arrayMap(v -> bitTest(v, 4), visits), arrayMap(v -> bitTest(v, 5), visits),
        arrayMap(v -> bitTest(v, 6), visits), arrayMap(v -> bitTest(v, 7), visits)) AS reached,
    firsts[1] != 0 AS lead,
    firsts[length(goals)] != 0 AND reached = length(goals) AS converted,
    -- when each goal was first visited; the epoch: never
    arrayMap(v -> fromUnixTimestamp64Micro(toInt64(bitShiftRight(v, 8)), 'UTC'), arraySlice(firsts, 1, length(goals))) AS visited_at,
    visited_at[1] AS lead_at,
    reachable AS contact, -- whether an e-mail address or a phone number is known
    tagged,  -- whether any of the requests had a UTM tag
    its_tags AS tags, -- utm_source, utm_medium and utm_campaign, percent-encoded and joined by commas: quicker to group by than the three
    decodeURLComponent(splitByChar(',', its_tags)[1]) AS utm_source,
    decodeURLComponent(splitByChar(',', its_tags)[2]) AS utm_medium,
    decodeURLComponent(splitByChar(',', its_tags)[3]) AS utm_campaign,
    its_content AS utm_content,
    its_term AS utm_term
FROM
(
    WITH
        utm_source != '' OR utm_medium != '' OR utm_campaign != '' AS touching,
        concat(encodeURLComponent(utm_source), ',', encodeURLComponent(utm_medium), ',', encodeURLComponent(utm_campaign)) AS the_tags,
        transform(step, steps, bits, 0) AS its_goals
    SELECT
        subscriber_key,
        argMin(channel, received_at) AS first_channel,
        arraySort(groupArrayIf(bitShiftLeft(toUInt64(toUnixTimestamp64Micro(received_at)), 8) + its_goals, its_goals != 0)) AS visits,
        max(contact) AS reachable,
        max(utm_source != '' OR utm_medium != '' OR utm_campaign != '' OR utm_content != '' OR utm_term != '') AS tagged,
        if({attribution:String} = 'last', argMaxIf(the_tags, received_at, touching), argMinIf(the_tags, received_at, touching)) AS its_tags,
        if({attribution:String} = 'last', argMaxIf(utm_content, received_at, touching), argMinIf(utm_content, received_at, touching)) AS its_content,
        if({attribution:String} = 'last', argMaxIf(utm_term, received_at, touching), argMinIf(utm_term, received_at, touching)) AS its_term
    FROM events
    WHERE received_at >= toDateTime({from:String}) AND received_at <= toDateTime({to:String})
        AND source = decodeURLComponent({source:String}) AND verdict = 'accepted' AND kind = 'flow' AND subscriber_key != 0
    GROUP BY subscriber_key
)
WHERE (decodeURLComponent({channel:String}) = '*' OR has(chosen({channel:String}), first_channel))
    AND (decodeURLComponent({utm_source:String}) = '*' OR has(chosen({utm_source:String}), utm_source))
    AND (decodeURLComponent({utm_medium:String}) = '*' OR has(chosen({utm_medium:String}), utm_medium))
    AND (decodeURLComponent({utm_campaign:String}) = '*' OR has(chosen({utm_campaign:String}), utm_campaign))
    AND (decodeURLComponent({utm_content:String}) = '*' OR has(chosen({utm_content:String}), its_content))
    AND (decodeURLComponent({utm_term:String}) = '*' OR has(chosen({utm_term:String}), its_term));
