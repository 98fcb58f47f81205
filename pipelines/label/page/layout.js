// Keys on keyboards that write other letters and signs than the American one.

// Signs by the key that writes them there, and with Shift.
const SIGNS = {
  BracketLeft: "[{",
  BracketRight: "]}",
  Minus: "-_",
  Equal: "=+",
  Comma: ",<",
  Period: ".>",
  Slash: "/?",
};
// What comes after Latin letters in Unicode: ü and å, too, are written by keys of signs.
const OTHER = "\u024f";

// What is printed on the key where the keyboard writes other letters.
export function printed({ code, key, shiftKey }) {
  const [, letter] = /^Key(.)$/.exec(code ?? "") ?? [];
  if (letter && key > "\x7f") return letter;
  return (key > OTHER && SIGNS[code]?.[shiftKey ? 1 : 0]) || key;
}

// The digit of a key in the row of digits, also where that writes them only with Shift.
export const digit = ({ code, shiftKey }) => (shiftKey ? null : (/^Digit([1-9])$/.exec(code ?? "")?.[1] ?? null));
