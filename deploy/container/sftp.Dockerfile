# The SFTP server of compose.yaml. Accounts are made at the start, one for each file in
# /etc/ssh/shipdrop-couriers; their folders are mounted by compose.
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends openssh-server \
 && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* \
 && groupadd --gid 2000 shipdrop-couriers \
 && install -d -m 755 /run/sshd /srv/sftp
COPY sftp/sshd_shipdrop.conf /etc/ssh/sshd_config.d/shipdrop.conf
COPY container/start-sshd /usr/local/sbin/start-sshd
RUN chmod 755 /usr/local/sbin/start-sshd
EXPOSE 22
CMD ["start-sshd"]
