// Package valuetypes finds references and comparisons of compiled policies that can never
// mean anything: a field that no document has, a comparison of an object with a number, a
// word that is outside of an enum. OPA's own type checker stops at the arguments of
// functions, knows no enums, and accepts an order between any two values.
//
// Check infers which values each expression may have, from the JSON Schema of `input`, from
// data files, from the values of other rules, and from the signatures of OPA's built-in
// functions. It follows local variables, iteration, comprehensions, and the arguments of
// functions. A Type always includes every value that is possible, so a finding holds for
// every document of the schema.
//
// It judges nothing where it can't know, and Report.Skipped lists these places:
//   - a value of any type: a note, the data of an event, a part of a proposal's `with`, the
//     result of a built-in function whose signature says "any", a rule with a computed name;
//   - an expression with `with`, and a body that asks for type_name;
//   - a body that tests for a type which the value can't have (is_object of a number): the
//     rule is for other agents;
//   - a function with more than maxContexts different calls, and whatever is left once the
//     policies have taken maxSteps steps.
//
// It never says that a value of data or of params equals nothing, or that a part of one is
// missing: these are settings, and a rule may be written for others. Nor does it judge a
// clause of a function that another clause makes up for, but for a misspelt name. It assumes,
// like OPA, that an object with properties in its schema has no others. It runs no policy and reads
// no document. Start reading at Check.
package valuetypes
