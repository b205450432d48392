package ledger

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/scanflow-k8s/scanflow/engine"
	"github.com/scanflow-k8s/scanflow/engine/jsonvalue"
)

// batch is one record: what it says is there as a whole or not at all. It is read
// in the order of its fields. Names are short because a log holds them thousands of
// times.
type batch struct {
	Acts        []act        `json:"a,omitempty"` // intents; concluded ones in a base
	Conclusions []conclusion `json:"c,omitempty"`
	Notes       []note       `json:"n,omitempty"`
	Events      events       `json:"e,omitempty"`
	Handled     []handled    `json:"h,omitempty"`
	Reopened    events       `json:"r,omitempty"`  // handled by a firing that came to nothing
	Unposted    []numbered   `json:"up,omitempty"` // posted by such a one
	Resent      []numbered   `json:"rs,omitempty"`
	Approvals   []approval   `json:"p,omitempty"`
	Withdrawn   []withdrawn  `json:"pw,omitempty"` // approvals of a firing that came to nothing
	Alerts      []heard      `json:"al,omitempty"`
}

func (b *batch) empty() bool {
	return len(b.Acts)+len(b.Conclusions)+len(b.Notes)+len(b.Events)+len(b.Handled)+len(b.Reopened)+
		len(b.Unposted)+len(b.Resent)+len(b.Approvals)+len(b.Withdrawn)+len(b.Alerts) == 0
}

type target struct {
	Kind      string `json:"k,omitempty"`
	Namespace string `json:"ns"`
	Name      string `json:"nm"`
}

type act struct {
	Identity  string           `json:"i"`
	Firing    string           `json:"f"`
	Agent     string           `json:"a"`
	Target    target           `json:"t"`
	Strategy  string           `json:"s"`
	Verb      string           `json:"v"`
	With      map[string]any   `json:"w,omitempty"`
	Claim     string           `json:"cl,omitempty"`
	Direction engine.Direction `json:"d,omitempty"`
	At        int64            `json:"at"`
	DryRun    bool             `json:"dry,omitempty"`
	Once      bool             `json:"x,omitempty"`
	Begun     bool             `json:"b,omitempty"`
	// Change is left out once the act is concluded: nobody applies it again.
	Change *engine.Change `json:"ch,omitempty"`
	Status engine.Status  `json:"o,omitempty"`
	Detail string         `json:"od,omitempty"`
	Wrote  bool           `json:"oa,omitempty"` // the change was applied
	Ended  int64          `json:"e,omitempty"`
}

// conclusion is what became of an act; with the status running, that it has begun.
type conclusion struct {
	Identity string        `json:"i"`
	Status   engine.Status `json:"o"`
	Detail   string        `json:"od,omitempty"`
	Wrote    bool          `json:"oa,omitempty"`
	Ended    int64         `json:"e"`
}

type note struct {
	Agent    string          `json:"a"`
	Target   target          `json:"t"`
	Strategy string          `json:"s"`
	Value    json.RawMessage `json:"v,omitempty"` // none takes the note away
	At       int64           `json:"at"`
}

// Details are bounded here; of conclusions the history has all of it.
const detailBytes, whyBytes = 120, 500

func shorten(s string) string { return shortenTo(detailBytes, s) }

func shortenTo(most int, s string) string {
	if len(s) <= most {
		return s
	}
	return string(bytes.ToValidUTF8([]byte(s[:most]), nil)) + "..."
}

func actOf(in engine.Intent) act {
	return act{
		Identity: in.Identity, Firing: in.Firing, Agent: in.Agent, Target: target(in.Target.ID()), Strategy: in.Strategy, Verb: in.Primitive,
		With: in.With, Claim: in.Claim, Direction: in.Direction, At: nanos(in.At), DryRun: in.DryRun, Once: in.Once, Change: &in.Change,
	}
}

// act is the engine's view, the same whether it was just written or read back.
func (a *act) act() engine.Act {
	out := engine.Act{Intent: engine.Intent{
		Firing: a.Firing, Claim: a.Claim, Direction: a.Direction, At: moment(a.At), DryRun: a.DryRun, Once: a.Once, Begun: a.Begun && a.open(),
	}, Outcome: engine.Outcome{Status: engine.Running}}
	if a.Change != nil {
		out.Change = *a.Change
	}
	out.Proposal = engine.Proposal{
		Agent: a.Agent, Target: engine.TargetID(a.Target).Target(),
		Strategy: a.Strategy, Primitive: a.Verb, With: a.With, Identity: a.Identity,
	}
	if !a.open() {
		out.Outcome, out.EndedAt = engine.Outcome{Status: a.Status, Detail: a.Detail, Applied: a.Wrote}, moment(a.Ended)
	}
	return out
}

func (a *act) open() bool { return a.Status == "" }

// mayBecome reports whether an act that is concluded gets another end: a call that failed,
// that a person sent again, and that was delivered then.
func (a *act) mayBecome(end engine.Status) bool {
	return a.Status == engine.Failed && end == engine.Done
}

// pack is a batch as a record, and as it reads when it is unpacked again.
func pack(b *batch) (string, *batch, error) {
	record, raw, err := encode(b)
	if err != nil {
		return "", nil, err
	}
	if len(raw) > mostUnpacked { // nobody would read it again
		return "", nil, fmt.Errorf("%w: a record has %d bytes of %d", ErrTooLarge, len(raw), mostUnpacked)
	}
	back, err := decode(raw)
	return record, back, err
}

// decode is a batch from its JSON, if a state can take it in.
func decode(raw []byte) (*batch, error) {
	b := &batch{}
	if err := jsonvalue.Unmarshal(raw, b); err != nil {
		return nil, err
	}
	return b, b.sound()
}

func encode(b *batch) (record string, raw []byte, err error) {
	if raw, err = json.Marshal(b); err != nil {
		return "", nil, err
	}
	record, err = squeeze(raw)
	return record, raw, err
}

// zips are kept: to make one takes longer than to use it.
var zips = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func squeeze(raw []byte) (string, error) {
	var out bytes.Buffer
	armour := base64.NewEncoder(base64.StdEncoding, &out)
	zip := zips.Get().(*gzip.Writer)
	defer zips.Put(zip)
	zip.Reset(armour)
	if _, err := zip.Write(raw); err != nil {
		return "", err
	}
	if err := zip.Close(); err != nil {
		return "", err
	}
	if err := armour.Close(); err != nil {
		return "", err
	}
	return out.String(), nil
}

// mostUnpacked bounds what a damaged record can make of the memory.
const mostUnpacked = 64 << 20

func unpack(record string) (*batch, error) {
	zip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewBufferString(record)))
	if err != nil {
		return nil, fmt.Errorf("not a record: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(zip, mostUnpacked))
	if err != nil {
		return nil, fmt.Errorf("not a record: %w", err)
	}
	b, err := decode(raw)
	if err != nil {
		return nil, fmt.Errorf("not a record: %w", err)
	}
	return b, nil
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func moment(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
