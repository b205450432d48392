package valuetypes

// part is a part of the document that has fields only where the manifest asks for them.
type part int

const (
	otherPart part = iota
	targetPart
	signalPart
	sustainedPart
)

// manifestFields are the fields that a setting of the manifest adds to the document, and the
// setting.
var manifestFields = map[part]map[string]string{
	targetPart: {
		"pods":         "set spec.targets.pods: true in the agent's manifest, by which its document has the pods",
		"pods_omitted": "set spec.targets.pods: true in the agent's manifest, by which its document has the pods",
	},
	signalPart: {
		"sustained": "set sustained: {over: SPAN} at the sensor in the agent's manifest",
		"since_ns":  "set since: MARK at the sensor in the agent's manifest",
		"missing":   "set by: LABEL at the sensor in the agent's manifest",
	},
	sustainedPart: {
		"above_ns": "set sustained.above at the sensor in the agent's manifest",
		"below_ns": "set sustained.below at the sensor in the agent's manifest",
	},
}

// document is the type of `input`. The values of params are settings; signals, params,
// strategies in memory and their verbs have names that the manifest chooses.
func (l *lattice) document(schema any) *Type {
	in := l.fromSchema(schema, 0)
	for _, section := range []string{"signals", "params", "memory"} {
		if t := in.fields[section]; t != nil {
			t.named = true
		}
	}
	if target := in.fields["target"]; target != nil {
		target.part = targetPart
	}
	if signals := in.fields["signals"]; signals != nil {
		for _, signal := range signals.fields {
			signal.part = signalPart
			if sustained := signal.fields["sustained"]; sustained != nil {
				sustained.part = sustainedPart
			}
		}
	}
	if params := in.fields["params"]; params != nil {
		for _, value := range params.fields {
			value.markSetting(0)
		}
	}
	if memory := in.fields["memory"]; memory != nil {
		for _, strategy := range memory.fields {
			if last := strategy.fields["last"]; last != nil {
				last.named = true
			}
		}
	}
	return in
}

// markSetting marks a type that nothing else shares, and its parts, as a setting.
func (t *Type) markSetting(depth int) {
	if t == nil || t.kinds == allKinds || depth > 2*maxDepth {
		return
	}
	t.setting = true
	t.elem.markSetting(depth + 1)
	t.rest.markSetting(depth + 1)
	for _, f := range t.fields {
		f.markSetting(depth + 1)
	}
}
