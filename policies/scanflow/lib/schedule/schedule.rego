# METADATA
# title: Schedule
# description: |
#   Windows of the day by the clock of a place, as {"from": "08:45", "until": "12:00",
#   "days": ["Mon", "Tue"]}. One whose end is before its beginning goes over midnight,
#   and its days are those on which it begins.
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
	at < seconds(window.until)
	on(window, timezone, now_ns)
}

# Over midnight, before it.
open(window, timezone, now_ns) if {
	seconds(window.until) < seconds(window.from)
	of_day(timezone, now_ns) >= seconds(window.from)
	on(window, timezone, now_ns)
}

# Over midnight, after it.
open(window, timezone, now_ns) if {
	seconds(window.until) < seconds(window.from)
	of_day(timezone, now_ns) < seconds(window.until)
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

on(window, timezone, ns) if substring(time.weekday([ns, timezone]), 0, 3) in days_of(window)

days_of(window) := days if object.get(window, "days", null) == null

days_of(window) := window.days if window.days

# METADATA
# title: Problems of a window
# description: What is wrong with it, in words; the empty set where nothing is.
problems(window) := {text |
	some text, is in {
		"from is no time of the day like 08:45 or 08:45:30": starts(window),
		"until is no time of the day like 12:00, 12:00:30 or 24:00": ends(window),
		"from and until are the same": differ(window),
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

ends(window) if seconds(window.until) >= 0

default differ(_) := true

differ(window) := false if seconds(window.from) == seconds(window.until)

default lists_days(_) := false

lists_days(window) if {
	is_object(window)
	object.get(window, "days", null) == null
}

lists_days(window) if {
	is_array(window.days)
	count(window.days) > 0
	every day in window.days { day in days }
}
