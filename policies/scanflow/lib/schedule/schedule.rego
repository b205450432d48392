# METADATA
# title: Schedule
# description: |
#   Windows of the day by the clock of a place, as {"from": "08:45", "until": "12:00",
#   "days": ["Mon", "Tue"]}. One whose end is before its beginning goes over midnight,
#   and its days are those on which it begins. `to` is the same as `until`. Windows of
#   the week go from a day and time to another, as "Fri 18:00" to "Mon 06:00".
package scanflow.lib.schedule

days := ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]

hour_ns := 3600000000000

# METADATA
# title: Seconds of the day
# description: |
#   The seconds since midnight of HH:MM or HH:MM:SS; 24:00 is the end of the day.
#   Undefined for anything else.
seconds("24:00") := 86400

seconds(text) := time.parse_ns("2006-01-02 15:04:05", sprintf("1970-01-01 %s:00", [text])) / 1000000000 if {
	is_string(text)
	regex.match(`^([01][0-9]|2[0-3]):[0-5][0-9]$`, text)
}

seconds(text) := time.parse_ns("2006-01-02 15:04:05", sprintf("1970-01-01 %s", [text])) / 1000000000 if {
	is_string(text)
	regex.match(`^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$`, text)
}

# METADATA
# title: A window holds
# description: True where the window is open at a moment, or opens within `lead_ns`, at most 24 hours.
holds(window, timezone, now_ns, _) if open(window, timezone, now_ns)

holds(window, timezone, now_ns, lead_ns) if {
	some day in [0, 1]
	start := beginning(window, timezone, now_ns, day)
	start > now_ns
	start - now_ns <= lead_ns
	on(window, timezone, start)
}

# Within one day.
open(window, timezone, now_ns) if {
	at := of_day(timezone, now_ns)
	at >= seconds(window.from)
	at < seconds(end(window))
	on(window, timezone, now_ns)
}

# Over midnight, before it.
open(window, timezone, now_ns) if {
	seconds(end(window)) < seconds(window.from)
	of_day(timezone, now_ns) >= seconds(window.from)
	on(window, timezone, now_ns)
}

# Over midnight, after it.
open(window, timezone, now_ns) if {
	seconds(end(window)) < seconds(window.from)
	of_day(timezone, now_ns) < seconds(end(window))
	on(window, timezone, noon(timezone, now_ns, -1))
}

# When a window opens on the day that is so many days from now. The second look is for
# a day on which the clock changes before noon.
beginning(window, timezone, now_ns, day) := later(window, timezone, later(window, timezone, noon(timezone, now_ns, day)))

later(window, timezone, ns) := ns + (apart * 1000000000) if {
	apart := ((((seconds(window.from) - of_day(timezone, ns)) + 86400) + 43200) % 86400) - 43200
}

# About noon: a day is not always 24 hours long.
noon(timezone, now_ns, day) := (now_ns - (of_day(timezone, now_ns) * 1000000000)) + ((12 + (24 * day)) * hour_ns)

of_day(timezone, ns) := ((hour * 3600) + (minute * 60)) + second if [hour, minute, second] := time.clock([ns, timezone])

on(window, _, _) if object.get(window, "days", null) == null

on(window, timezone, ns) if {
	some day in window.days
	same_day(day, time.weekday([ns, timezone]))
}

# The first three letters of a day, in capitals or not.
same_day(a, b) if lower(substring(a, 0, 3)) == lower(substring(b, 0, 3))

end(window) := window.until

end(window) := window.to if not has(window, "until")

has(window, key) if {
	is_object(window)
	key in object.keys(window)
}

# METADATA
# title: A time of the week
# description: |
#   True from a day and time to another by the clock of a place, as "Fri 18:00" or
#   "Friday 18:00", over the end of the week too. What is no such time, and a time zone
#   that is not known, is an error, so that a guard that asks for it denies.
between(from, until, timezone, now_ns) if {
	week_seconds(from) < week_seconds(until)
	at := of_week(timezone, now_ns)
	at >= week_seconds(from)
	at < week_seconds(until)
}

between(from, until, timezone, now_ns) if {
	week_seconds(from) >= week_seconds(until)
	not in_between(until, from, timezone, now_ns)
}

in_between(from, until, timezone, now_ns) if {
	at := of_week(timezone, now_ns)
	at >= week_seconds(from)
	at < week_seconds(until)
}

of_week(timezone, ns) := day_seconds(time.weekday([ns, timezone])) + of_day(timezone, ns)

week_seconds(text) := day_seconds(text) + (time.parse_ns(sprintf("2006-01-02 %s 15:04", [layout(text)]), sprintf("1970-01-01 %s", [text])) / 1000000000)

# How Go's time writes the day: by three letters, or in full.
layout(text) := "Mon" if regex.match(`^[A-Za-z]{3}\b`, text)

layout(text) := "Monday" if not regex.match(`^[A-Za-z]{3}\b`, text)

day_seconds(text) := i * 86400 if {
	some i, day in days
	same_day(day, text)
}

# METADATA
# title: Problems of a window
# description: What is wrong with it, in words; the empty set where nothing is.
problems(window) := {text |
	some text, is in {
		"from is no time of the day like 08:45 or 08:45:30": starts(window),
		"until is no time of the day like 12:00, 12:00:30 or 24:00": ends(window),
		"from and until are the same": differ(window),
		"until and to are the same, and both are set": one_end(window),
		"days is no list of Mon, Tue, Wed, Thu, Fri, Sat, Sun": lists_days(window),
	}
	not is
}

# METADATA
# title: A time zone is known
known(timezone) if time.clock([0, timezone])

default starts(_) := false

starts(window) if seconds(window.from) < 86400

default ends(_) := false

ends(window) if seconds(end(window)) >= 0

default differ(_) := true

differ(window) := false if seconds(window.from) == seconds(end(window))

default one_end(_) := true

one_end(window) := false if {
	has(window, "until")
	has(window, "to")
}

default lists_days(_) := false

lists_days(window) if {
	is_object(window)
	object.get(window, "days", null) == null
}

lists_days(window) if {
	is_array(window.days)
	count(window.days) > 0
	every day in window.days { named(day) }
}

# A day in three letters.
named(day) if {
	is_string(day)
	count(day) == 3
	some known in days
	same_day(day, known)
}
