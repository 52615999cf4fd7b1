package report

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// WriteJSON writes the run with all rounds and summaries. docs/performance.md#json
// describes the members.
func (r *Run) WriteJSON(out io.Writer) error {
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "\t")
	return encoder.Encode(struct {
		*Run
		Summaries []Summary `json:"summaries"`
	}{r, r.Summaries()})
}

// WriteCSV writes one line for each round and target. A value that was not measured is empty.
func (r *Run) WriteCSV(out io.Writer) error {
	w := csv.NewWriter(out)
	header := []string{"scenario", "round", "target"}
	for _, c := range columns {
		header = append(header, string(c.metric))
	}
	rows := [][]string{header}
	for _, round := range r.Rounds {
		row := []string{r.Scenario, strconv.Itoa(round.Round), round.Target}
		for _, c := range columns {
			value := ""
			if v, ok := round.Values[c.metric]; ok {
				value = strconv.FormatFloat(v, 'f', -1, 64)
			}
			row = append(row, value)
		}
		rows = append(rows, row)
	}
	if err := w.WriteAll(rows); err != nil {
		return fmt.Errorf("writing CSV: %w", err)
	}
	return nil
}
