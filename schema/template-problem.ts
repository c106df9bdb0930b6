/** Keys and list indexes from the top of a template to one place in it. */
export type TemplatePath = readonly (string | number)[];

/** One thing wrong in a template and where; lines and columns count from 1, columns in UTF-16 units. */
export interface TemplateProblem {
  file: string;
  line: number;
  column: number;
  /** Dotted path, such as `golden.files[0].path`; empty for the file as a whole. */
  path: string;
  /** What is wrong, what is allowed, what was given. */
  message: string;
  /** The line of the file with a caret below the place. */
  excerpt: string;
  /** What to write instead, where that can be guessed. */
  suggestion: string | null;
}

const excerptColumnsMax = 100;

/** Writes a path the way an operator reads it: `capacity.max_hosts`, `bootstrap.verify[2].port`. */
export function formatPath(path: TemplatePath): string {
  return path
    .map((step, index) => {
      if (typeof step === "number") return `[${step}]`;
      return index === 0 ? step : `.${step}`;
    })
    .join("");
}

/** Renders one problem as `file:line:column path: message` with the excerpt below it. */
export function formatProblem(problem: TemplateProblem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}`;
  const subject = problem.path === "" ? "" : ` ${problem.path}:`;
  const suggestion = problem.suggestion === null ? "" : `; ${problem.suggestion}`;
  const excerpt = problem.excerpt === "" ? "" : `\n${problem.excerpt}`;
  return `${place}${subject} ${problem.message}${suggestion}${excerpt}`;
}

/** Cuts a window of at most 100 columns out of a line and draws a caret below `column` (from 1). */
export function excerptOf(lineText: string, line: number, column: number): string {
  const start = Math.max(0, Math.min(column - 1 - excerptColumnsMax / 2, lineText.length - excerptColumnsMax));
  const shown = lineText.slice(start, start + excerptColumnsMax).replace(/\p{Cc}/gu, " ");
  const gutter = `${String(line).padStart(4)} | `;
  const caret = `${" ".repeat(gutter.length - 2)}| ${" ".repeat(column - 1 - start)}^`;
  return `${gutter}${shown.trimEnd()}\n${caret}`;
}
