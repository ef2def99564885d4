// Measures how well a model writes about a requested subject.
// `node training/asked.mjs [model.gguf]` asks a hundred times for a story about two things. It counts the
// answers in which they occur. It also counts the answers to another question in which they occur: the rate
// of pure chance.
import { loadModel } from "../dist/index.js";

const things =
  "king queen prince princess witch giant dragon dwarf fairy soldier fox wolf bear lion cat dog horse bird fish frog goose mouse".split(
    " ",
  );
const questions = 100;
const maxTokens = 300;

const model = await loadModel(process.argv[2]);
const asked = Array.from({ length: questions }, (_, index) => {
  const first = index % things.length;
  // Never the same thing: steps of 1 to 21.
  const second =
    (first + 1 + ((Math.floor(index / things.length) * 5 + index) % (things.length - 1))) % things.length;
  return [things[first], things[second]];
});

const answers = [];
for (const [index, [first, second]] of asked.entries()) {
  const chat = model.chat();
  let text = "";
  for await (const piece of chat.send(`Tell me a story about a ${first} and a ${second}.`, {
    seed: index,
    maxTokens,
  }))
    text += piece.text;
  chat.dispose();
  answers.push(text.toLowerCase());
}
await model.dispose();

const plurals = { mouse: "mice", wolf: "wolves", fairy: "fairies" };
const occurs = (thing, answer) =>
  new RegExp(`\\b(${thing}(s|es)?|${plurals[thing] ?? thing})\\b`).test(answer);
const report = (name, shift) => {
  const counts = [0, 0, 0];
  asked.forEach((pair, index) => {
    const answer = answers[(index + shift) % questions];
    counts[pair.filter((thing) => occurs(thing, answer)).length] += 1;
  });
  console.log(`${name}: both in ${counts[2]} of ${questions}, one in ${counts[1]}, none in ${counts[0]}`);
};
report("answers", 0);
report("other questions' answers", 7);
