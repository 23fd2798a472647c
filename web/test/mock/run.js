// node test/mock/run.js [scenario] [port]: the page with generated traffic, by hand.
import { SCENARIOS, startMock } from './server.js';

const [name = 'demo', port = '7071'] = process.argv.slice(2);
if (!(name in SCENARIOS)) {
  console.error(`no scenario ${name}; there are ${Object.keys(SCENARIOS).join(', ')}`);
  process.exit(2);
}
const mock = await startMock(name, { port: Number(port) });
console.log(mock.url);
