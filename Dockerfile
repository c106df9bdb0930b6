# A worker with the local rack and load balancer beside it: `forewarm up` against the Temporal and Postgres it is given.
FROM node:22-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN node build.mjs && npm prune --omit=dev --ignore-scripts

FROM node:22-bookworm-slim
ENV NODE_ENV=production FOREWARM_HOME=/var/lib/forewarm
WORKDIR /app
RUN mkdir -p /var/lib/forewarm && chown node:node /var/lib/forewarm
COPY --from=build --chown=root:root /app/package.json ./
COPY --from=build --chown=root:root /app/node_modules ./node_modules
COPY --from=build --chown=root:root /app/dist ./dist
COPY --from=build --chown=root:root /app/examples ./examples
USER node
VOLUME /var/lib/forewarm
ENTRYPOINT ["node", "dist/client/cli.js"]
CMD ["up"]
