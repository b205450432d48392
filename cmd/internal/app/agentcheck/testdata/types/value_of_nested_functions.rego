package scanflow.strategies.t.sample

propose contains {"primitive": "webhook", "with": {"url": "http://localhost/x"}, "reason": "r", "because": ["load"]} if {
	high(input.signals.load)
}

high(signal) if number(signal) > 5

number(s) := s.valeu
