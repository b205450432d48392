package bounded

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/stretchr/testify/require"
)

// evaluateAs makes the test binary evaluate the expressions on its standard input, one
// a line: "stock", or "bounded" after Install.
const evaluateAs = "SCANFLOW_TEST_EVALUATE_AS"

func TestMain(m *testing.M) {
	if how := os.Getenv(evaluateAs); how != "" {
		if how == "bounded" {
			Install()
		}
		if err := evaluateLines(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// childMemory is far below what the hostile expressions would take.
const childMemory = 1 << 30

func evaluateLines() error {
	limit := syscall.Rlimit{Cur: childMemory, Max: childMemory}
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
		return err
	}
	input := hostileInput()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var expr string
		if err := json.Unmarshal(lines.Bytes(), &expr); err != nil {
			return err
		}
		out, err := json.Marshal(answer(expr, input))
		if err != nil {
			return err
		}
		fmt.Println(string(out))
	}
	return lines.Err()
}

// answer is the value as Rego writes it, or the error.
func answer(expr string, input ast.Value) string {
	show := func(t *ast.Term, _ *rego.EvalContext) (any, error) {
		if !Within(t.Value, MaxWritten) {
			return nil, fmt.Errorf("a value larger than it should be")
		}
		return t.Value.String(), nil
	}
	results, err := rego.New(
		rego.Query(expr), rego.ParsedInput(input),
		rego.StrictBuiltinErrors(true), rego.GenerateJSON(show),
	).Eval(context.Background())
	if err != nil {
		return "error: " + err.Error()
	}
	var out []string
	for _, r := range results {
		out = append(out, fmt.Sprint(r.Expressions[0].Value))
	}
	return strings.Join(out, "\n")
}

// shared is an array of 2^40 elements when written out, that holds each part twice.
func shared() *ast.Term {
	t := ast.ArrayTerm(ast.InternedTerm(1))
	for range 40 {
		t = ast.ArrayTerm(t, t)
	}
	return t
}

func hostileInput() ast.Value {
	text := strings.Repeat("a", MaxText+1)
	half := strings.Repeat("a", MaxText/2)
	var list []*ast.Term
	for range MaxElements/2 + 1 {
		list = append(list, ast.InternedTerm(1))
	}
	layers := ast.NewObject()
	for l := range 40 {
		next := ast.ArrayTerm(ast.StringTerm(fmt.Sprint(l+1, "a")), ast.StringTerm(fmt.Sprint(l+1, "b")))
		layers.Insert(ast.StringTerm(fmt.Sprint(l, "a")), next)
		layers.Insert(ast.StringTerm(fmt.Sprint(l, "b")), next)
	}
	return ast.NewObject(
		ast.Item(ast.StringTerm("one"), ast.InternedTerm(1)),
		ast.Item(ast.StringTerm("long"), ast.StringTerm(text)),
		ast.Item(ast.StringTerm("half"), ast.StringTerm(half)),
		ast.Item(ast.StringTerm("some"), ast.StringTerm(half[:50_000])),
		ast.Item(ast.StringTerm("deep"), ast.StringTerm(strings.Repeat("[", 100_000))),
		ast.Item(ast.StringTerm("many"), ast.StringTerm("["+strings.Repeat("[],", MaxElements)+"[]]")),
		ast.Item(ast.StringTerm("list"), ast.ArrayTerm(list...)),
		ast.Item(ast.StringTerm("a40"), shared()),
		ast.Item(ast.StringTerm("b40"), shared()),
		ast.Item(ast.StringTerm("layers"), ast.NewTerm(layers)),
	)
}

// evaluate has a child answer the expressions. Where it dies, the answers are fewer.
func evaluate(t *testing.T, how string, exprs []string) []string {
	t.Helper()
	answers, _ := evaluateTimed(t, how, exprs)
	return answers
}

// evaluateTimed says besides how long a processor was at it.
func evaluateTimed(t *testing.T, how string, exprs []string) ([]string, time.Duration) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var in strings.Builder
	for _, e := range exprs {
		line, err := json.Marshal(e)
		require.NoError(t, err)
		fmt.Fprintln(&in, string(line))
	}
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), evaluateAs+"="+how)
	cmd.Stdin = strings.NewReader(in.String())
	var problem strings.Builder
	cmd.Stderr = &problem
	out, err := cmd.Output()
	var answers []string
	for line := range strings.Lines(string(out)) {
		var a string
		if json.Unmarshal([]byte(line), &a) == nil {
			answers = append(answers, a)
		}
	}
	if len(answers) < len(exprs) {
		said := problem.String()
		t.Fatalf("the child died at %s: %v\n%s", exprs[len(answers)], err, said[:min(len(said), 6000)])
	}
	return answers, cmd.ProcessState.UserTime()
}
