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

// batch is one record, which is stored as a whole or not at all. Its fields are applied in
// order. JSON names are short because a log has thousands of them.
type batch struct {
	Acts        []act         `json:"a,omitempty"` // intents; concluded ones in a base
	Conclusions []conclusion  `json:"c,omitempty"`
	Notes       []note        `json:"n,omitempty"`
	Events      events        `json:"e,omitempty"`
	Handled     []handled     `json:"h,omitempty"`
	Reopened    events        `json:"r,omitempty"`  // handled by a firing that was undone
	Unposted    []numbered    `json:"up,omitempty"` // posted by a firing that was undone
	Resent      []numbered    `json:"rs,omitempty"`
	Approvals   []approval    `json:"p,omitempty"`
	Withdrawn   []withdrawn   `json:"pw,omitempty"` // approvals of a firing that was undone
	Alerts      []alertRecord `json:"al,omitempty"`
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
	Ready     *int             `json:"r,omitempty"`
	// Change is nil once the act is concluded, when nobody applies it again.
	Change *engine.Change `json:"ch,omitempty"`
	Status engine.Status  `json:"o,omitempty"`
	Detail string         `json:"od,omitempty"`
	Wrote  bool           `json:"oa,omitempty"` // the change was applied
	Ended  int64          `json:"e,omitempty"`
}

// conclusion is the outcome of an act; the status running means that it has begun.
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
	Value    json.RawMessage `json:"v,omitempty"` // absent removes the note
	At       int64           `json:"at"`
}

// Details are truncated here; the history has the full details of conclusions.
const detailBytes, whyBytes = 120, 500

func truncateDetail(s string) string { return truncate(detailBytes, s) }

func truncate(most int, s string) string {
	if len(s) <= most {
		return s
	}
	return string(bytes.ToValidUTF8([]byte(s[:most]), nil)) + "..."
}

func actOf(in engine.Intent) act {
	return act{
		Identity: in.Identity, Firing: in.Firing, Agent: in.Agent, Target: target(in.Target.ID()), Strategy: in.Strategy, Verb: in.Primitive,
		With: in.With, Claim: in.Claim, Direction: in.Direction, At: nanos(in.At), DryRun: in.DryRun, Once: in.Irreproducible, Ready: in.Ready, Change: &in.Change,
	}
}

// act converts it to the engine's type. The result is the same before it was written and after
// it was read back.
func (a *act) act() engine.Act {
	out := engine.Act{Intent: engine.Intent{
		Firing: a.Firing, Claim: a.Claim, Direction: a.Direction, At: timeOf(a.At), DryRun: a.DryRun, Irreproducible: a.Once, Ready: a.Ready, Begun: a.Begun && a.open(),
	}, Outcome: engine.Outcome{Status: engine.Running}}
	if a.Change != nil {
		out.Change = *a.Change
	}
	out.Proposal = engine.Proposal{
		Agent: a.Agent, Target: engine.TargetID(a.Target).Target(),
		Strategy: a.Strategy, Primitive: a.Verb, With: a.With, Identity: a.Identity,
	}
	if !a.open() {
		out.Outcome, out.EndedAt = engine.Outcome{Status: a.Status, Detail: a.Detail, Applied: a.Wrote}, timeOf(a.Ended)
	}
	return out
}

func (a *act) open() bool { return a.Status == "" }

// canBecome reports whether a concluded act can get another outcome: a failed call that was
// resent by a person and delivered.
func (a *act) canBecome(end engine.Status) bool {
	return a.Status == engine.Failed && end == engine.Done
}

// pack encodes a batch as a record, and returns the batch as decoding the record gives it.
func pack(b *batch) (string, *batch, error) {
	record, raw, err := encode(b)
	if err != nil {
		return "", nil, err
	}
	if len(raw) > maxUnpacked { // unpack would refuse it
		return "", nil, fmt.Errorf("%w: a record has %d bytes of %d", ErrTooLarge, len(raw), maxUnpacked)
	}
	back, err := decode(raw)
	return record, back, err
}

// decode decodes and validates a batch.
func decode(raw []byte) (*batch, error) {
	b := &batch{}
	if err := jsonvalue.Unmarshal(raw, b); err != nil {
		return nil, err
	}
	return b, b.validate()
}

func encode(b *batch) (record string, raw []byte, err error) {
	if raw, err = json.Marshal(b); err != nil {
		return "", nil, err
	}
	record, err = compress(raw)
	return record, raw, err
}

// gzipWriters are reused, since making one takes longer than using it.
var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func compress(raw []byte) (string, error) {
	var out bytes.Buffer
	armour := base64.NewEncoder(base64.StdEncoding, &out)
	zip := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(zip)
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

// maxUnpacked bounds the memory that a damaged record can use.
const maxUnpacked = 64 << 20

func unpack(record string) (*batch, error) {
	zip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewBufferString(record)))
	if err != nil {
		return nil, fmt.Errorf("not a record: %w", err)
	}
	raw, err := io.ReadAll(io.LimitReader(zip, maxUnpacked))
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

func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
