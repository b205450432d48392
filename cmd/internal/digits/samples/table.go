package samples

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/scanflow-k8s/scanflow/cmd/internal/digits"
)

// columns is the heading of a table.
var columns = []string{"id", "label", "model_version", "predicted", "confidence", "score"}

// maxTable bounds what is unpacked of a table, in bytes.
const maxTable = 128 << 20

// maxRows bounds the samples of a table, as images are bounded.
const maxRows = 400_000

func writeTable(w io.Writer, all []Sample) error {
	table := csv.NewWriter(w)
	rows := make([][]string, 0, len(all)+1)
	rows = append(rows, columns)
	for i := range all {
		s := &all[i]
		rows = append(rows, []string{s.ID, classText(s.Label), s.Model, classText(s.Predicted), numberText(s.Confidence), numberText(s.Score)})
	}
	return table.WriteAll(rows)
}

func classText(class int) string {
	if class == digits.NoClass {
		return ""
	}
	return strconv.Itoa(class)
}

func numberText(v float64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

func readTable(r io.Reader) ([]Sample, error) {
	table := csv.NewReader(io.LimitReader(r, maxTable))
	table.ReuseRecord = true
	heading, err := table.Read()
	if err != nil || !slices.Equal(heading, columns) {
		return nil, fmt.Errorf("it does not begin with the heading %s", strings.Join(columns, ","))
	}
	var all []Sample
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if len(all) == maxRows {
			return nil, fmt.Errorf("it has more than %d lines", maxRows)
		}
		s := Sample{ID: strings.Clone(row[0]), Model: strings.Clone(row[2])}
		var errs [4]error
		s.Label, errs[0] = readClass("label", row[1])
		s.Predicted, errs[1] = readClass("predicted", row[3])
		s.Confidence, errs[2] = readShare("confidence", row[4])
		s.Score, errs[3] = readShare("score", row[5])
		if err := errors.Join(errs[:]...); err != nil {
			line, _ := table.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		all = append(all, s)
	}
}

func readClass(column, text string) (int, error) {
	if text == "" {
		return digits.NoClass, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < 0 || v >= digits.Classes {
		return 0, fmt.Errorf("%s %q is no digit", column, text)
	}
	return v, nil
}

func readShare(column, text string) (float64, error) {
	if text == "" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= 1) {
		return 0, fmt.Errorf("%s %q is no number from 0 to 1", column, text)
	}
	return v, nil
}
