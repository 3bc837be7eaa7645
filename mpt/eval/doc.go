// Package eval measures models on the tasks that MPT was published with, by the rules of
// llm-foundry (the Eval Gauntlet) and of EleutherAI's lm-evaluation-harness: the same
// examples, the same tokens, the same decisions.
//
// [Load] reads task files, [Evaluate] asks the model:
//
//	tasks, err := eval.Load("tasks.yaml", eval.LoadOptions{})
//	report, err := eval.Evaluate(ctx, model, tasks, eval.Options{})
//
// What several questions have in common at their beginning is evaluated once, and
// questions share batches. No result depends on their order, on threads or batches.
//
// This package is not stable yet: names may change from one minor version to the next.
package eval
