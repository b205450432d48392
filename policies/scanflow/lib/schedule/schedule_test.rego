package scanflow.lib.schedule_test

import data.scanflow.lib.schedule

# at is a moment, by the clock of UTC unless it says otherwise.
at(text) := time.parse_rfc3339_ns(text)

minute_ns := 60000000000

default is_held(_, _, _, _) := false

is_held(window, timezone, now_ns, lead_ns) if schedule.holds(window, timezone, now_ns, lead_ns)

test_seconds[note] if {
	some note, row in {
		"midnight": {"text": "00:00", "want": {0}},
		"a quarter to nine": {"text": "08:45", "want": {31500}},
		"with seconds": {"text": "23:59:59", "want": {86399}},
		"the end of the day": {"text": "24:00", "want": {86400}},
		"no such hour": {"text": "25:00", "want": set()},
		"no such minute": {"text": "08:60", "want": set()},
		"no such second": {"text": "08:45:60", "want": set()},
		"one digit": {"text": "8:45", "want": set()},
		"a number": {"text": 845, "want": set()},
		"a word": {"text": "noon", "want": set()},
		"more after it": {"text": "08:45 CET", "want": set()},
	}
	{s | s := schedule.seconds(row.text)} == row.want
}

test_holds[note] if {
	day := {"from": "08:45", "until": "12:00"}
	night := {"from": "22:00", "until": "02:00"}
	some note, row in {
		"before": {"window": day, "now": "2026-03-02T08:44:59Z", "is": false},
		"at its beginning": {"window": day, "now": "2026-03-02T08:45:00Z", "is": true},
		"within": {"window": day, "now": "2026-03-02T11:59:59Z", "is": true},
		"at its end": {"window": day, "now": "2026-03-02T12:00:00Z", "is": false},
		"to the end of the day": {"window": {"from": "22:00", "until": "24:00"}, "now": "2026-03-02T23:59:59Z", "is": true},
		"over midnight, before": {"window": night, "now": "2026-03-02T21:59:59Z", "is": false},
		"over midnight, at its beginning": {"window": night, "now": "2026-03-02T22:00:00Z", "is": true},
		"over midnight, the next day": {"window": night, "now": "2026-03-03T01:59:59Z", "is": true},
		"over midnight, at its end": {"window": night, "now": "2026-03-03T02:00:00Z", "is": false},
		"on its day": {"window": object.union(day, {"days": ["Mon"]}), "now": "2026-03-02T09:00:00Z", "is": true},
		"on another day": {"window": object.union(day, {"days": ["Mon"]}), "now": "2026-03-03T09:00:00Z", "is": false},
		"on its day, in small letters": {"window": object.union(day, {"days": ["mon"]}), "now": "2026-03-02T09:00:00Z", "is": true},
		"on another day, in small letters": {"window": object.union(day, {"days": ["mon"]}), "now": "2026-03-03T09:00:00Z", "is": false},
		"to instead of until, within": {"window": {"from": "08:45", "to": "12:00"}, "now": "2026-03-02T11:59:59Z", "is": true},
		"to instead of until, at its end": {"window": {"from": "08:45", "to": "12:00"}, "now": "2026-03-02T12:00:00Z", "is": false},
		"to instead of until, over midnight": {"window": {"from": "22:00", "to": "02:00"}, "now": "2026-03-03T01:59:59Z", "is": true},
		"over midnight, into another day": {"window": object.union(night, {"days": ["Mon"]}), "now": "2026-03-03T01:00:00Z", "is": true},
		"over midnight, out of another day": {"window": object.union(night, {"days": ["Mon"]}), "now": "2026-03-02T01:00:00Z", "is": false},
	}
	is_held(row.window, "UTC", at(row.now), 0) == row.is
}

test_holds_ahead[note] if {
	day := {"from": "08:45", "until": "09:00"}
	early := {"from": "00:10", "until": "01:00"}
	some note, row in {
		"long before": {"window": day, "now": "2026-03-02T08:14:59Z", "is": false},
		"half an hour before": {"window": day, "now": "2026-03-02T08:15:00Z", "is": true},
		"just before": {"window": day, "now": "2026-03-02T08:44:59Z", "is": true},
		"its end is not moved": {"window": day, "now": "2026-03-02T09:00:00Z", "is": false},
		"before midnight": {"window": early, "now": "2026-03-01T23:50:00Z", "is": true},
		"before midnight, on its day": {"window": object.union(early, {"days": ["Mon"]}), "now": "2026-03-01T23:50:00Z", "is": true},
		"before midnight, on another day": {"window": object.union(early, {"days": ["Tue"]}), "now": "2026-03-01T23:50:00Z", "is": false},
	}
	is_held(row.window, "UTC", at(row.now), 30 * minute_ns) == row.is
}

# Berlin's clock goes from 02:00 to 03:00 on 29 March 2026, and from 03:00 to 02:00 on
# 25 October.
test_by_the_clock_of_a_place[note] if {
	day := {"from": "08:45", "until": "12:00"}
	some note, row in {
		"in winter": {"window": day, "now": "2026-03-02T08:45:00+01:00", "lead": 0, "is": true},
		"in winter, before": {"window": day, "now": "2026-03-02T08:44:59+01:00", "lead": 0, "is": false},
		"in summer": {"window": day, "now": "2026-07-02T08:45:00+02:00", "lead": 0, "is": true},
		"over the short night, too early": {"window": {"from": "03:30", "until": "04:00"}, "now": "2026-03-29T01:29:59+01:00", "lead": 60, "is": false},
		"over the short night, an hour ahead": {"window": {"from": "03:30", "until": "04:00"}, "now": "2026-03-29T01:30:00+01:00", "lead": 60, "is": true},
		"before the short night, an hour ahead": {"window": {"from": "01:30", "until": "04:00"}, "now": "2026-03-29T00:30:00+01:00", "lead": 60, "is": true},
		"before the short night, too early": {"window": {"from": "01:30", "until": "04:00"}, "now": "2026-03-29T00:29:59+01:00", "lead": 60, "is": false},
		"over the long night, too early": {"window": {"from": "03:30", "until": "04:00"}, "now": "2026-10-25T02:29:59+01:00", "lead": 60, "is": false},
		"over the long night, an hour ahead": {"window": {"from": "03:30", "until": "04:00"}, "now": "2026-10-25T02:30:00+01:00", "lead": 60, "is": true},
		"the day after the short one, over midnight": {"window": {"from": "22:00", "until": "02:00", "days": ["Sun"]}, "now": "2026-03-30T00:30:00+02:00", "lead": 0, "is": true},
		"the day after the long one, over midnight": {"window": {"from": "22:00", "until": "02:00", "days": ["Sun"]}, "now": "2026-10-26T00:30:00+01:00", "lead": 0, "is": true},
	}
	is_held(row.window, "Europe/Berlin", at(row.now), row.lead * minute_ns) == row.is
}

test_problems[note] if {
	good := {"from": "08:45", "until": "12:00"}
	from := "from is no time of the day like 08:45 or 08:45:30"
	until := "until is no time of the day like 12:00, 12:00:30 or 24:00"
	listed := "days is no list of Mon, Tue, Wed, Thu, Fri, Sat, Sun"
	some note, row in {
		"none": {"window": good, "want": set()},
		"none, with days": {"window": object.union(good, {"days": ["Mon", "Sun"]}), "want": set()},
		"none, with days in small letters": {"window": object.union(good, {"days": ["mon", "SUN"]}), "want": set()},
		"none, with to": {"window": {"from": "08:45", "to": "12:00"}, "want": set()},
		"until and to": {"window": object.union(good, {"to": "12:00"}), "want": {"until and to are the same, and both are set"}},
		"a day that is a number": {"window": object.union(good, {"days": [1]}), "want": {listed}},
		"none, to the end of the day": {"window": object.union(good, {"until": "24:00"}), "want": set()},
		"no beginning": {"window": {"until": "12:00"}, "want": {from}},
		"a beginning at the end of the day": {"window": object.union(good, {"from": "24:00"}), "want": {from}},
		"no end": {"window": {"from": "08:45"}, "want": {until}},
		"neither": {"window": {"from": "8.45", "until": 12}, "want": {from, until}},
		"the same twice": {"window": {"from": "08:45", "until": "08:45:00"}, "want": {"from and until are the same"}},
		"days that are a text": {"window": object.union(good, {"days": "Mon"}), "want": {listed}},
		"no days": {"window": object.union(good, {"days": []}), "want": {listed}},
		"days spelt out": {"window": object.union(good, {"days": ["Mon", "Tuesday"]}), "want": {listed}},
		"days that are false": {"window": object.union(good, {"days": false}), "want": {listed}},
		"no window": {"window": "08:45-12:00", "want": {from, until, listed}},
	}
	schedule.problems(row.window) == row.want
}

test_known_time_zones[note] if {
	some note, row in {
		"a place": {"zone": "Europe/Berlin", "is": true},
		"UTC": {"zone": "UTC", "is": true},
		"no place": {"zone": "Europe/Bielefeld", "is": false},
		"a number": {"zone": 1, "is": false},
	}
	is_known(row.zone) == row.is
}

default is_known(_) := false

is_known(zone) if schedule.known(zone)

default is_between(_, _, _, _) := false

is_between(from, until, timezone, now_ns) if schedule.between(from, until, timezone, now_ns)

test_between[note] if {
	some note, row in {
		"before a freeze": {"from": "Fri 18:00", "until": "Mon 06:00", "now": "2026-03-06T17:59:59+01:00", "is": false},
		"at its beginning": {"from": "Fri 18:00", "until": "Mon 06:00", "now": "2026-03-06T18:00:00+01:00", "is": true},
		"on Sunday": {"from": "Fri 18:00", "until": "Mon 06:00", "now": "2026-03-08T12:00:00+01:00", "is": true},
		"before its end": {"from": "Fri 18:00", "until": "Mon 06:00", "now": "2026-03-09T05:59:59+01:00", "is": true},
		"at its end": {"from": "Fri 18:00", "until": "Mon 06:00", "now": "2026-03-09T06:00:00+01:00", "is": false},
		"in the week": {"from": "Fri 18:00", "until": "Mon 06:00", "now": "2026-03-11T12:00:00+01:00", "is": false},
		"in full, small letters": {"from": "friday 18:00", "until": "Monday 06:00", "now": "2026-03-07T12:00:00+01:00", "is": true},
		"in full, in the week": {"from": "friday 18:00", "until": "Monday 06:00", "now": "2026-03-11T12:00:00+01:00", "is": false},
		"within a week": {"from": "Tue 10:00", "until": "Thu 10:00", "now": "2026-03-11T12:00:00+01:00", "is": true},
		"within a day": {"from": "Wed 11:00", "until": "Wed 13:00", "now": "2026-03-11T12:00:00+01:00", "is": true},
		"within a day, after it": {"from": "Wed 11:00", "until": "Wed 13:00", "now": "2026-03-11T13:00:00+01:00", "is": false},
		"all but a part of a day": {"from": "Wed 13:00", "until": "Wed 11:00", "now": "2026-03-11T12:00:00+01:00", "is": false},
		"all but a part of a day, on another": {"from": "Wed 13:00", "until": "Wed 11:00", "now": "2026-03-12T12:00:00+01:00", "is": true},
		"the whole week": {"from": "Wed 13:00", "until": "Wed 13:00", "now": "2026-03-12T12:00:00+01:00", "is": true},
		# The night in which Madrid's clock goes ahead ends an hour earlier in UTC.
		"before its end, in summer": {"from": "Fri 18:00", "until": "Mon 06:00", "now": "2026-03-30T03:59:59Z", "is": true},
		"at its end, in summer": {"from": "Fri 18:00", "until": "Mon 06:00", "now": "2026-03-30T04:00:00Z", "is": false},
		"at its end, in winter": {"from": "Fri 18:00", "until": "Mon 06:00", "now": "2026-10-26T05:00:00Z", "is": false},
		"before its end, in winter": {"from": "Fri 18:00", "until": "Mon 06:00", "now": "2026-10-26T04:59:59Z", "is": true},
	}
	is_between(row.from, row.until, "Europe/Madrid", at(row.now)) == row.is
}

# Stock OPA leaves a rule with an error undefined; the engine denies.
test_between_wants_times_of_the_week[text] if {
	some text in ["Fry 18:00", "18:00", "Fri", "Fri 25:00", "Fri 18:00 CET", "fridays 18:00", "", "Fri18:00"]
	every other in ["Mon 06:00", "Sun 23:00"] {
		not is_between(text, other, "UTC", at("2026-03-07T12:00:00Z"))
		not is_between(other, text, "UTC", at("2026-03-07T12:00:00Z"))
	}
}
